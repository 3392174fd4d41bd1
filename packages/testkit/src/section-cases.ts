type Json = string | number | boolean | null | readonly Json[] | Members
type Members = { readonly [member: string]: Json }

/** Valid sections of a twin. */
export type FittingCase = readonly [what: string, members: Members]

/** Invalid sections, and the text of the error. */
export type UnfitCase = readonly [what: string, members: Members, text: string]

/** Members that a section of so many bytes takes. */
export function fittingSections(bytesMax: number): FittingCase[] {
  return [
    ['as many bytes as it may hold', texts(bytesMax)],
    ['a text of 4 KB', { a: 'x'.repeat(4096) }],
    ['a text of 4 KB in UTF-8', { a: 'ä'.repeat(2048) }],
    ['a key of 1 KB', { ['k'.repeat(1024)]: 1 }],
    ['ten levels above a property', nestedObjects(10)],
    ['the least and the greatest integer', { a: -4503599627370496, b: 4503599627370495 }],
    ['numbers that are no integers', { a: 0.1, b: 1e-300, c: 1.5e15 }],
    ['a list of anything', { a: [1, 'x', { b: [] }, true] }],
    ['keys of any other character', { 'ключ-😀_!"#%&()/\\:': 1 }],
    ['nothing', {}],
  ]
}

/** Members that the rules forbid, in a section of so many bytes. Errors call the section `path`. */
export function unfitSections(path: string, bytesMax: number): UnfitCase[] {
  return [
    [
      'one byte more than it may',
      texts(bytesMax + 1),
      `${path} would take ${bytesMax + 1} bytes, at most ${bytesMax} are allowed`,
    ],
    ['a text of over 4 KB', { a: { b: 'x'.repeat(4097) } }, `${path}.a.b: its text takes 4097 bytes, at most 4096`],
    ['a text of over 4 KB in UTF-8', { a: 'ä'.repeat(2049) }, `${path}.a: its text takes 4098 bytes`],
    ['such a text in a list', { a: ['x', 'x'.repeat(4097)] }, `${path}.a[1]: its text takes 4097 bytes`],
    ['a key of over 1 KB', { a: { ['k'.repeat(1025)]: 1 } }, `${path}.a: the key "kkkk`],
    ['a key with a dot', { a: { 'b.c': 1 } }, `${path}.a: the key "b.c" must not`],
    ['a key with a space', { 'b c': 1 }, `${path}: the key "b c" must not`],
    ['a key with $', { a: { $b: 1 } }, `${path}.a: the key "$b" must not`],
    ['a system key below the top', { a: { $version: 1 } }, `${path}.a: the key "$version" must not`],
    ['an unknown system key', { $other: 1 }, `${path}: the key "$other" must not`],
    ['a key with a C0 character', { 'a\u0001': 1 }, `${path}: the key "a\u0001" must not`],
    ['a key with a C1 character', { 'a\u0085': 1 }, `${path}: the key "a\u0085" must not`],
    ['a key with U+0000', { 'a\u0000': 1 }, `${path}: the key "a\u0000" must not`],
    ['an empty key', { '': 1 }, `${path}: the key "" must not`],
    ['eleven levels above a property', nestedObjects(11), 'l10.l11: it lies more than 10 levels deep'],
    ['lists inside one another', { a: [[[[[[[[[[[1]]]]]]]]]]] }, `${path}.a[0]`],
    ['an integer that is too great', { a: 4503599627370496 }, `${path}.a: the integer 4503599627370496 must lie`],
    ['an integer that is too small', { a: -4503599627370497 }, `${path}.a: the integer -4503599627370497 must lie`],
    ['a number beyond 2^53', { a: [2 ** 60] }, `${path}.a[0]: the integer 1152921504606847000 must lie`],
    ['null in a list', { a: [1, null] }, `${path}.a[1]: null is not allowed inside a list`],
    ['null in an object in a list', { a: [{ b: [], c: null }] }, `${path}.a[0].c: null is not allowed`],
    ['a text with U+0000', { a: 'x\u0000' }, `${path}.a: its text must not contain U+0000`],
  ]
}

/** Objects inside one another below the section: `{l1: {l2: {...: {property: 1}}}}`. */
function nestedObjects(levels: number): Members {
  let inner: Members = { property: 1 }
  for (let level = levels; level >= 1; level -= 1) inner = { [`l${level}`]: inner }
  return inner
}

/** Texts of 4,000 bytes, under keys of two, that take so many bytes together. */
function texts(bytes: number): Members {
  const whole = Math.floor(bytes / 4002)
  const members = Array.from({ length: whole }, (_, index) => [String(10 + index), 'x'.repeat(4000)])
  return Object.fromEntries([...members, ['99', 'x'.repeat(bytes - whole * 4002 - 2)]])
}
