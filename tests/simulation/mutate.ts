/**
 * Preload: serves one file of the repository with a mutation in it.
 *
 *     WEIR_MUTATION=3 bun --preload ./tests/simulation/mutate.ts tests/simulation/main.ts 1 100
 *
 * @module
 */
import { plugin } from "bun";
import { MUTATIONS } from "./mutations.ts";

const mutation = MUTATIONS[Number(process.env.WEIR_MUTATION)];
const path = new URL(`../../${mutation.file}`, import.meta.url).pathname;
const text = await Bun.file(path).text();
if (text.split(mutation.find).length !== 2) {
  throw new Error(
    `Cannot mutate ${mutation.file}: the text of rule "${mutation.rule}" must occur exactly once. Adapt tests/simulation/mutations.ts.`,
  );
}
const contents = text.replace(mutation.find, () => mutation.replace);
plugin({
  name: "mutation",
  setup(build) {
    build.onLoad({ filter: new RegExp(`^${path.replaceAll(/[.+]/g, "\\$&")}$`) }, () => ({ contents, loader: "ts" }));
  },
});
