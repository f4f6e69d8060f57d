/**
 * Money: a small warehouse over Decimals, with made-up sales and an oracle that is exact to the last digit.
 *
 *   saleEvents(seed, n) ──▶ events ──ingest──▶ ods.sale ──models──▶ MONEY_QUERIES ──▶ found ─┐
 *                             └──expectedGroups (bigint)──▶ expected ────────────────────────┴─ the same texts
 *
 * What must hold: the oracle shares nothing with the models and calculates in whole units
 * of the last digit. Amounts reach from 0.01 to 18 digits, so that a Float on the way shows.
 *
 * @module
 */

/** Folder of the definitions. */
export const moneyProjectDir: string = new URL(".", import.meta.url).pathname;

/** One event of the source `sale`; amounts are texts, as JSON numbers would lose digits. */
export interface SaleEvent {
  readonly sale_id: string;
  /** RFC 3339 in UTC, with milliseconds. */
  readonly sold_at: string;
  readonly region: string;
  readonly product: string;
  readonly quantity: number;
  readonly price: string;
  readonly rate: string;
}

/** The models, and how each is asked for its groups: `_group` and measures, all of them texts. */
export const MONEY_QUERIES = {
  "dwf.sale": query("dwf.sale", "sale_id", ["region", "product", "quantity", "price", "rate", "revenue", "euros"]),
  "dws.product_day": query("dws.product_day", "concat(product, ' ', toString(day))", [
    ...["sales", "pieces", "total_revenue", "total_euros", "cheapest", "dearest", "average_sale"],
  ]),
  "dwa.region_month": query("dwa.region_month", "concat(region, ' ', toString(toDate(month)))", [
    ...["sales", "returns", "pieces", "average_pieces", "total_revenue", "refunded", "total_euros", "products"],
  ]),
} as const;
export type MoneyTable = keyof typeof MONEY_QUERIES;

/** Groups by name, each with its measures by name, as texts: numbers without zeros behind their last digit. */
export type Groups = Readonly<Record<string, Readonly<Record<string, string>>>>;

const REGIONS = ["north", "south", "east", "west", "Île-de-France"];
const PRODUCTS = ["nail", "hammer", "saw 'fine'", "drill, big", "crane", "Maß", "bolt\\nut"];
const PRICES = ["0.01", "0.10", "0.3", "19.99", "1000", "33333.33", "9007199254740993.01", "9999999999999999.99"];
const RATES = ["1", "0.0001", "0.9173", "1.3333", "163.2", "999999.9999"];
const FIRST_MS = Date.UTC(2024, 0, 30);
const DAYS = 40;

/** Makes sales that a seed decides, ids `0` to `n - 1`; the leap day is among them. */
export function saleEvents(seed: number, n: number): SaleEvent[] {
  const random = randomOf(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const oneOf = (texts: readonly string[]) => texts[below(texts.length)];
  return Array.from({ length: n }, (_, index) => ({
    sale_id: String(index),
    sold_at: new Date(FIRST_MS + below(DAYS * 86_400_000)).toISOString(),
    region: oneOf(REGIONS),
    product: oneOf(PRODUCTS),
    quantity: below(24) - 4,
    price: below(2) === 0 ? oneOf(PRICES) : unitsText(BigInt(1 + below(1_000_000)), 2),
    rate: below(2) === 0 ? oneOf(RATES) : unitsText(BigInt(1 + below(100_000_000)), 4),
  }));
}

/** Works out every group of every model. */
export function expectedGroups(events: readonly SaleEvent[]): Readonly<Record<MoneyTable, Groups>> {
  const sales = events.map(saleOf);
  return {
    "dwf.sale": Object.fromEntries(sales.map((sale) => [sale.event.sale_id, saleMeasures(sale)])),
    "dws.product_day": groupsOf(sales, ({ event }) => `${event.product} ${event.sold_at.slice(0, 10)}`, dayMeasures),
    "dwa.region_month": groupsOf(
      sales,
      ({ event }) => `${event.region} ${event.sold_at.slice(0, 7)}-01`,
      monthMeasures,
    ),
  };
}

/** A sale in whole units: price and revenue in hundredths, euros in millionths. */
interface Sale {
  readonly event: SaleEvent;
  readonly quantity: bigint;
  readonly price: bigint;
  readonly revenue: bigint;
  readonly euros: bigint;
}

function saleOf(event: SaleEvent): Sale {
  const quantity = BigInt(event.quantity);
  const price = unitsOf(event.price, 2);
  const revenue = price * quantity;
  return { event, quantity, price, revenue, euros: revenue * unitsOf(event.rate, 4) };
}

function saleMeasures({ event, price, revenue, euros }: Sale): Record<string, string> {
  return {
    region: event.region,
    product: event.product,
    quantity: String(event.quantity),
    price: unitsText(price, 2),
    rate: unitsText(unitsOf(event.rate, 4), 4),
    revenue: unitsText(revenue, 2),
    euros: unitsText(euros, 6),
  };
}

function dayMeasures(sales: readonly Sale[]): Record<string, string> {
  const prices = sales.map(({ price }) => price).sort((a, b) => Number(a - b));
  const revenue = sum(sales, (sale) => sale.revenue);
  const euros = sum(sales, (sale) => sale.euros);
  return {
    sales: String(sales.length),
    pieces: String(sum(sales, (sale) => sale.quantity)),
    total_revenue: unitsText(revenue, 2),
    total_euros: unitsText(euros, 6),
    cheapest: unitsText(prices[0], 2),
    dearest: unitsText(prices.at(-1) ?? 0n, 2),
    // Bigint division cuts towards zero, as divideDecimal does.
    average_sale: unitsText((revenue * 100n) / BigInt(sales.length), 4),
  };
}

function monthMeasures(sales: readonly Sale[]): Record<string, string> {
  const returned = sales.filter(({ quantity }) => quantity < 0n);
  const pieces = sum(sales, (sale) => sale.quantity);
  const revenue = sum(sales, (sale) => sale.revenue);
  const refunded = sum(returned, (sale) => sale.revenue);
  const euros = sum(sales, (sale) => sale.euros);
  return {
    sales: String(sales.length),
    returns: String(returned.length),
    pieces: String(pieces),
    average_pieces: String(Number(pieces) / sales.length),
    total_revenue: unitsText(revenue, 2),
    refunded: unitsText(refunded, 2),
    total_euros: unitsText(euros, 6),
    products: String(new Set(sales.map(({ event }) => event.product)).size),
  };
}

function groupsOf(
  sales: readonly Sale[],
  nameOf: (sale: Sale) => string,
  measure: (sales: readonly Sale[]) => Record<string, string>,
): Groups {
  const members = new Map<string, Sale[]>();
  for (const sale of sales) members.set(nameOf(sale), [...(members.get(nameOf(sale)) ?? []), sale]);
  return Object.fromEntries([...members].map(([name, all]) => [name, measure(all)]));
}

const sum = (sales: readonly Sale[], of: (sale: Sale) => bigint) => sales.reduce((total, sale) => total + of(sale), 0n);

/** A decimal text in whole units of its last digit: `1.5` with scale 2 is 150. */
export function unitsOf(text: string, scale: number): bigint {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > scale) throw new Error(`'${text}' is no number of scale ${scale}`);
  const units = BigInt(whole + fraction.padEnd(scale, "0"));
  return sign === "-" ? -units : units;
}

/** Whole units as a decimal text, as the warehouse writes it: 150 with scale 2 is `1.5`. */
export function unitsText(units: bigint, scale: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
  const whole = digits.slice(0, digits.length - scale);
  return `${units < 0n ? "-" : ""}${whole}${fraction === "" ? "" : `.${fraction}`}`;
}

function query(table: string, group: string, measures: readonly string[]): string {
  const texts = measures.map((measure) => `toString(${measure}) AS ${measure}_text`);
  return `SELECT ${group} AS _group, ${texts.join(", ")} FROM ${table}`;
}

/** The groups in the rows that one of `MONEY_QUERIES` answers; throws where a group comes twice. */
export function groupsIn(rows: readonly Readonly<Record<string, unknown>>[]): Groups {
  const groups: Record<string, Record<string, string>> = {};
  for (const { _group, ...texts } of rows) {
    const name = String(_group);
    if (name in groups) throw new Error(`The group '${name}' is there twice`);
    groups[name] = Object.fromEntries(
      Object.entries(texts).map(([measure, text]) => [measure.replace(/_text$/, ""), String(text)]),
    );
  }
  return groups;
}

/** mulberry32: the same numbers from 0 to 1 for the same seed, everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
