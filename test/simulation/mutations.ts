export const mutationNames: string[] = []
export async function runMutant(_name: string, _seeds: number): Promise<{ seed: number; problem: string } | null> {
  return null
}
