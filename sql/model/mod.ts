/**
 * model: one SELECT, planned into tables and views.
 *
 * @module
 */
export { AGGREGATES } from "./aggregates.ts";
export * from "./model.ts";
export * from "./model_ddl.ts";
export { orderModels } from "./order_models.ts";
export { type PlanOptions, planModel } from "./planner.ts";
