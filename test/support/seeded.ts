/** Numbers from 0 to 1, the same for the same seed (xorshift32). */
export function seeded(from: number): () => number {
  let state = from | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
