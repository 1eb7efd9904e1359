import { inspect } from 'node:util'

const mask = '[secret]'

/**
 * A text that must not be seen: in JSON, in `util.inspect`, in a template or a concatenation it is `[secret]`. Only
 * `reveal()` gives it, at the one place that sends it.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return mask
  }

  toJSON(): string {
    return mask
  }

  [Symbol.toPrimitive](): string {
    return mask
  }

  [inspect.custom](): string {
    return mask
  }
}
