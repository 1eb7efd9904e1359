/** What may be asked of the agent. */

export const agentPort = 7000

export type Request =
  | { do: 'spawn'; command: string; args: string[]; env: Record<string, string>; log: string }
  | { do: 'ended'; id: number }
  | { do: 'kill'; id: number; signal: NodeJS.Signals }
  | { do: 'get'; url: string }
  | { do: 'files'; directory: string }
  | { do: 'write'; file: string; text: string }
