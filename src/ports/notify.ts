/** The service manager that started this process, if it wants to be told. Telling never fails: nobody may be listening. */
export interface Notify {
  tell(state: 'ready' | 'reloading' | 'stopping' | 'alive'): void
  /** How often `alive` must come at least, ms; null: it need not. */
  readonly watchdogMs: number | null
}
