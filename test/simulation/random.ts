/** A seeded source of randomness (sfc32): the same seed gives the same run. */
export interface Random {
  /** [0, 1) */
  next(): number
  int(below: number): number
  chance(p: number): boolean
  pick<T>(from: readonly T[]): T
  hex(bytes: number): string
}

export function openRandom(seed: number): Random {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed ^ 0xdeadbeef]
  const u32 = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let warm = 0; warm < 20; warm++) u32()
  const next = (): number => u32() / 4294967296
  return {
    next,
    int: (below) => Math.floor(next() * below),
    chance: (p) => next() < p,
    pick: (from) => from[Math.floor(next() * from.length)] as (typeof from)[number],
    hex(bytes) {
      let text = ''
      for (let count = 0; count < bytes; count++) text += (u32() & 255).toString(16).padStart(2, '0')
      return text
    },
  }
}
