/**
 * True when the two types are the same; `any` is the same as `any` only. The compiler takes two such functions for
 * equal only when what they compare with is the same type; by a name for them it would compare less strictly.
 */
export type Equal<A, B> =
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only for `expectType<Equal<A, B>>()` with equal types; at run time it does nothing. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the constraint is what is checked
export function expectType<_Holds extends true>(): void {}
