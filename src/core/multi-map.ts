/** A map with some values to a key. Most keys have one: that one stands there by itself, since a set costs 200 bytes. */
export class MultiMap<K, V extends string> {
  readonly #map = new Map<K, V | Set<V>>()

  get(key: K): V[] {
    const values = this.#map.get(key)
    if (values === undefined) return []
    return typeof values === 'string' ? [values] : [...values]
  }

  add(key: K, value: V): void {
    const values = this.#map.get(key)
    if (values === undefined) this.#map.set(key, value)
    else if (typeof values !== 'string') values.add(value)
    else if (values !== value) this.#map.set(key, new Set([values, value]))
  }

  delete(key: K, value: V): void {
    const values = this.#map.get(key)
    if (values === undefined || values === value) this.#map.delete(key)
    else if (typeof values !== 'string' && values.delete(value) && values.size === 0) this.#map.delete(key)
  }
}
