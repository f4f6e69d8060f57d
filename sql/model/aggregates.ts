/**
 * Aggregate functions: which merge, how exactly, and where a text calls them.
 *
 * Every aggregate of the engine stands in one of the lists, as data; a name that
 * a new version brings is refused in a fold until somebody has judged it.
 *
 * @module
 */
import type { Token } from "../definition/tokens.ts";
import type { Exactness } from "./model.ts";
import { closing, isSymbol, isWord } from "./splice.ts";

const names = (text: string) => text.trim().split(/\s+/);

/** The same result in whatever order and groups the rows are merged; estimates like `uniq` too: they depend on the set alone. */
const EXACT = names(`
  count sum min max avg uniq uniqExact uniqCombined uniqCombined64 uniqHLL12 uniqUpTo groupBitAnd groupBitOr groupBitXor
  groupBitmap groupBitmapAnd groupBitmapOr groupBitmapXor groupArraySorted quantileExact quantilesExact quantileExactLow
  quantilesExactLow quantileExactHigh quantilesExactHigh quantileExactWeighted quantilesExactWeighted
  quantileExactExclusive quantilesExactExclusive quantileExactInclusive quantilesExactInclusive medianExact
  medianExactLow medianExactHigh medianExactWeighted quantileTiming quantilesTiming medianTiming quantileTimingWeighted
  quantilesTimingWeighted medianTimingWeighted sumMap minMap maxMap sumMappedArrays minMappedArrays maxMappedArrays
  sumCount retention BIT_AND BIT_OR BIT_XOR maxIntersections singleValueOrNull sumWithOverflow sumMapWithOverflow`);
/** Exact but for which of several equals is taken. */
const ORDERED = names(`
  argMin argMax argAndMin argAndMax min_by max_by deltaSumTimestamp windowFunnel sequenceMatch sequenceCount
  maxIntersectionsPosition`);
/** Within a tolerance: Float arithmetic or sampling. */
const APPROXIMATE = names(`
  avgWeighted quantile quantiles median quantileTDigest quantilesTDigest medianTDigest quantileTDigestWeighted
  quantilesTDigestWeighted medianTDigestWeighted quantileDD quantilesDD medianDD quantileGK quantilesGK medianGK
  quantileBFloat16 quantilesBFloat16 medianBFloat16 quantileBFloat16Weighted quantilesBFloat16Weighted
  medianBFloat16Weighted quantileDeterministic quantilesDeterministic medianDeterministic quantileInterpolatedWeighted
  quantilesInterpolatedWeighted medianInterpolatedWeighted quantileExactWeightedInterpolated
  quantilesExactWeightedInterpolated medianExactWeightedInterpolated topK topKWeighted approx_top_count approx_top_k
  approx_top_sum varPop varSamp stddevPop stddevSamp covarPop covarSamp corr varPopStable varSampStable stddevPopStable
  stddevSampStable covarPopStable covarSampStable corrStable VAR_POP VAR_SAMP STD STDDEV STDDEV_POP STDDEV_SAMP
  COVAR_POP COVAR_SAMP skewPop skewSamp kurtPop kurtSamp sumKahan entropy simpleLinearRegression histogram
  boundingRatio`);
/** Sets and lists whose order is lost in merging; exact only under a function which does not see the order. */
const UNORDERED = names("groupArray array_agg groupUniqArray");
/** These depend on the order of the rows, or on seeing all of them at once. */
const REFUSED = names(`
  any anyLast any_value anyRespectNulls any_respect_nulls any_value_respect_nulls anyValueRespectNulls
  anyLastRespectNulls anyLast_respect_nulls anyHeavy first_value last_value first_value_respect_nulls
  firstValueRespectNulls last_value_respect_nulls lastValueRespectNulls groupArrayInsertAt groupArrayLast
  groupArrayMovingAvg groupArrayMovingSum groupArraySample groupArrayIntersect array_concat_agg groupConcat group_concat
  string_agg deltaSum exponentialMovingAverage lttb largestTriangleThreeBuckets sequenceNextNode sequenceMatchEvents
  sparkbar sparkBar intervalLengthSum nothing nothingNull nothingUInt64 aggThrow
  stochasticLinearRegression stochasticLogisticRegression analysisOfVariance anova categoricalInformationValue
  contingency corrMatrix covarPopMatrix covarSampMatrix cramersV cramersVBiasCorrected theilsU rankCorr
  kolmogorovSmirnovTest mannWhitneyUTest meanZTest studentTTest studentTTestOneSample welchTTest
  distinctDynamicTypes distinctJSONPaths distinctJSONPathsAndTypes estimateCompressionRatio flameGraph groupFormat
  groupNumericIndexedVector MVTEncode ST_AsMVT quantilePrometheusHistogram quantilesPrometheusHistogram
  sumMapFiltered sumMapFilteredWithOverflow exponentialTimeDecayedAvg exponentialTimeDecayedCount
  exponentialTimeDecayedMax exponentialTimeDecayedSum cume_dist denseRank dense_rank lag lagInFrame lead leadInFrame
  nonNegativeDerivative nth_value ntile percentRank percent_rank rank row_number timeSeriesChangesToGrid
  timeSeriesDeltaToGrid timeSeriesDerivToGrid timeSeriesGroupArray timeSeriesIncreaseToGrid
  timeSeriesInstantDeltaToGrid timeSeriesInstantRateToGrid timeSeriesLastToGrid timeSeriesLastTwoSamples
  timeSeriesPredictLinearToGrid timeSeriesRateToGrid timeSeriesResampleToGridWithStaleness timeSeriesResetsToGrid`);

/** What is known of one aggregate function; `unordered`: exact under a function that sorts or counts. */
export type Merging = Exactness | "unordered" | "refused";

/** Every judged aggregate function, by its name in lower case. */
export const AGGREGATES: ReadonlyMap<string, Merging> = new Map<string, Merging>(
  (
    [
      [EXACT, "exact"],
      [ORDERED, "ordered"],
      [APPROXIMATE, "approximate"],
      [UNORDERED, "unordered"],
      [REFUSED, "refused"],
    ] as const
  ).flatMap(([list, merging]) => list.map((name) => [name.toLowerCase(), merging] as const)),
);

const COMBINATORS =
  /(?:If|Array|Map|OrNull|OrDefault|Distinct|ForEach|Resample|ArgMin|ArgMax|Null|Tuple|State|Merge|SimpleState)$/;

/** The engine's aggregate functions, as far as names are needed. */
export interface AggregateNames {
  readonly exact: ReadonlySet<string>;
  /** In lower case, those that can be written in any case. */
  readonly anyCase: ReadonlySet<string>;
}

/** A function name in two parts, or undefined if it is no aggregate: `sumIf` is `sum` and [`If`]. */
export function aggregateOf(
  name: string,
  known: AggregateNames,
): { readonly base: string; readonly combinators: readonly string[] } | undefined {
  if (known.exact.has(name) || known.anyCase.has(name.toLowerCase())) return { base: name, combinators: [] };
  const suffix = COMBINATORS.exec(name)?.[0];
  if (suffix === undefined || suffix.length === name.length) return undefined;
  const rest = aggregateOf(name.slice(0, -suffix.length), known);
  return rest && { base: rest.base, combinators: [...rest.combinators, suffix] };
}

/** How an aggregate merges, by its name as the engine resolved it. */
export function mergingOf(name: string, known: AggregateNames): Merging {
  const whole = AGGREGATES.get(name.toLowerCase());
  if (whole !== undefined) return whole;
  const { base, combinators } = aggregateOf(name, known) ?? { base: name, combinators: [] };
  const merging = AGGREGATES.get(base.toLowerCase()) ?? "refused";
  if (combinators.some((one) => /State|Merge/.test(one))) return "refused";
  const picks = combinators.some((one) => one === "ArgMin" || one === "ArgMax");
  return picks && merging === "exact" ? "ordered" : merging;
}

/** One call of an aggregate function in the text: `name(parameters)(arguments) FILTER (WHERE …)`. */
export interface AggregateCall {
  /** As written. */
  readonly name: string;
  readonly tokens: readonly Token[];
  readonly hasParameters: boolean;
  readonly isDistinct: boolean;
  /** Between the last brackets, without DISTINCT. */
  readonly arguments: readonly Token[];
  readonly filter: readonly Token[];
  /** The function that wraps it directly, in lower case, for example `arraysort`. */
  readonly inside: string | undefined;
  /** What makes it no plain aggregate: `OVER`, `RESPECT` or `IGNORE`. */
  readonly suffix: Token | undefined;
}

/** Finds the outermost calls of aggregate functions, those of subqueries left out. */
export function findCalls(tokens: readonly Token[], known: AggregateNames): AggregateCall[] {
  const calls: AggregateCall[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (isSymbol(token, "(") && isWord(tokens[index + 1], "SELECT", "WITH")) {
      index = closing(tokens, index);
      continue;
    }
    const isCall = token.kind === "word" && isSymbol(tokens[index + 1], "(") && !isSymbol(tokens[index - 1], ".");
    if (!isCall || aggregateOf(token.text, known) === undefined) continue;
    const first = closing(tokens, index + 1);
    const hasParameters = isSymbol(tokens[first + 1], "(");
    const open = hasParameters ? first + 1 : index + 1;
    const close = closing(tokens, open);
    const isFiltered = isWord(tokens[close + 1], "FILTER") && isSymbol(tokens[close + 2], "(");
    const end = isFiltered ? closing(tokens, close + 2) : close;
    const within = tokens.slice(open + 1, close);
    const isDistinct = isWord(within[0], "DISTINCT");
    const isWrapped = isSymbol(tokens[index - 1], "(") && isSymbol(tokens[end + 1], ")");
    calls.push({
      name: token.text,
      tokens: tokens.slice(index, end + 1),
      hasParameters,
      isDistinct,
      arguments: isDistinct ? within.slice(1) : within,
      filter: isFiltered ? tokens.slice(close + 1, end + 1) : [],
      inside: isWrapped && tokens[index - 2]?.kind === "word" ? tokens[index - 2].text.toLowerCase() : undefined,
      suffix: isWord(tokens[end + 1], "OVER", "RESPECT", "IGNORE") ? tokens[end + 1] : undefined,
    });
    index = end;
  }
  return calls;
}

/** Functions which give the same for every order of a list. */
const ORDER_BLIND = new Set(["arraysort", "arrayreversesort", "length", "arrayuniq"]);

/** What makes a call impossible to merge exactly: the problem and what to write instead. */
export function unmergeable(
  call: AggregateCall,
  known: AggregateNames,
): { readonly problem: string; readonly hint: string } | undefined {
  const otherwise = "or compute it on a schedule with refresh: { every: 1 hour }";
  if (call.suffix?.text.toUpperCase() === "OVER")
    return { problem: "a window sees only one insert at a time", hint: `Put it into the API, ${otherwise}.` };
  const { base, combinators } = aggregateOf(call.name, known) ?? { base: call.name, combinators: [] };
  if (combinators.some((one) => /State|Merge/.test(one))) {
    const hint = "Write the aggregate itself: its state is kept by the model.";
    return { problem: `${call.name} keeps or merges states by itself`, hint };
  }
  if (call.isDistinct && (combinators.length > 0 || call.hasParameters)) {
    const hint = `Write ${base}DistinctIf(…), uniqExactIf(…) or FILTER (WHERE …).`;
    return { problem: `DISTINCT inside ${call.name} cannot be merged`, hint };
  }
  const merging = mergingOf(call.name, known);
  if (merging === "unordered") {
    if (ORDER_BLIND.has(call.inside ?? "") && !call.hasParameters) return undefined;
    const hint = `Write arraySort(${call.name}(…)), or groupArraySorted(N)(…), ${otherwise}.`;
    return { problem: `the order of ${call.name} is lost when its parts are merged`, hint };
  }
  if (merging !== "refused" && call.suffix === undefined) return undefined;
  const hint = /^(any|first|last)/i.test(base)
    ? `Write argMin(x, time) or argMax(x, time), ${otherwise}.`
    : `Write another aggregate, ${otherwise}.`;
  return { problem: `${call.name} cannot be merged from parts in any order`, hint };
}
