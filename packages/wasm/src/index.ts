export type { Code } from './encoding.js';
export { doWhile, get, i32, i64, seq, set, v128, when, whileLoop } from './instructions.js';
export { type FunctionBuilder, ModuleBuilder } from './module.js';
