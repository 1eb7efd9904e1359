/** `work` on each item, at most `width` at a time; results come in the items' order. The first failure is thrown. */
export async function* mapInOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = []
  for await (const item of items) {
    const one = work(item)
    one.catch(() => undefined)
    running.push(one)
    if (running.length >= width) yield await (running.shift() as Promise<R>)
  }
  for (const one of running) yield await one
}
