/**
 * The judge of SQL that is not trusted: what it may read and call, by its tree.
 *
 * @module
 */
export { type Judgement, type JudgeRules, judgeAst } from "./judge.ts";
export { KNOWN_FUNCTIONS } from "./known_functions.ts";
export { judgeTree } from "./tree.ts";
