/**
 * Definitions: everything that a project's files can define.
 *
 *   ods/ source · dim/ dimension · dwf/ dws/ dwa/ model · functions/ function · api/ api
 *
 * @module
 */
import type { Api } from "./api.ts";
import type { Dimension } from "./dimension.ts";
import type { SqlFunction } from "./function.ts";
import type { Model } from "./model/model.ts";
import type { Source } from "./source.ts";

/** One definition, checked. */
export type Definition = Source | Dimension | SqlFunction | Model | Api;

/** Folders of a project, in the order in which what they define is applied, with the kind that each holds. */
export const FOLDERS = {
  functions: "function",
  ods: "source",
  dim: "dimension",
  dwf: "model",
  dws: "model",
  dwa: "model",
  api: "api",
} as const;

/** A folder of a project. */
export type Folder = keyof typeof FOLDERS;

/** The folder and the name of a definition. */
export function addressOf(definition: Definition): { readonly layer: Folder; readonly name: string } {
  switch (definition.kind) {
    case "function":
      return { layer: "functions", name: definition.name };
    case "api":
      return { layer: "api", name: definition.id };
    default:
      return definition;
  }
}

/** What a definition is called everywhere, for example `dwf.flight`. */
export function qualifiedName(definition: Definition): string {
  const { layer, name } = addressOf(definition);
  return `${layer}.${name}`;
}
