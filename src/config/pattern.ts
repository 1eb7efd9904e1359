/**
 * Rotation rules are regular expressions from outside that run on every file name, so one that can take exponential time
 * is refused. The test is simple and errs on the safe side: a group that is repeated must not hold a repetition or an
 * alternative itself: `(a+)+`, `(a*b?)*`, `(a|ab)*` are refused; `(\.gz)+`, `\d{8}(T\d{6})?` are not.
 */

const lengthMax = 200

/** Null where `source` is a usable rotation rule, else what is wrong with it. */
export function refusePattern(source: string): string | null {
  if (source.length === 0 || source.length > lengthMax)
    return `expected a regular expression of 1 to ${lengthMax} characters`
  let pattern: RegExp
  try {
    pattern = new RegExp(source)
  } catch {
    return 'expected a JavaScript regular expression; this one does not compile'
  }
  if (pattern.test(''))
    return 'expected a regular expression that matches a suffix; this one also matches the empty text'
  if (/\\[1-9]|\\k</.test(source)) return 'expected a regular expression without references back to a group'
  if (repeatsRepetition(source))
    return 'expected a regular expression without nested repetition such as (a+)+: it can take exponential time'
  return null
}

function repeatsRepetition(source: string): boolean {
  const open: boolean[] = []
  let varies = false
  // Escapes and character classes are one atom each, in which no other character has a meaning.
  const atoms = source.match(/\\.|\[(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|[^]/g) ?? []
  for (const [index, atom] of atoms.entries()) {
    if (atom === '(') {
      open.push(varies)
      varies = false
    } else if (atom === ')') {
      if (varies && repeats(atoms[index + 1])) return true
      varies = (open.pop() ?? false) || varies
    } else if (repeats(atom) || atom === '|') {
      varies = true
    }
  }
  return false
}

/** `*`, `+`, `{2,}`, `{2,9}`; not `?` nor `{8}`, which repeat nothing a varying number of times. */
function repeats(atom: string | undefined): boolean {
  return atom !== undefined && (atom === '*' || atom === '+' || /^\{\d+,\d*\}$/.test(atom))
}
