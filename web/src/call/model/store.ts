/** A value that tells who listens when it changes. The view models are built on it, so that they run without React. */
export class Store<T extends object> {
  #state: T;
  readonly #listeners = new Set<() => void>();

  constructor(initial: T) {
    this.#state = initial;
  }

  readonly get = (): T => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Merges a change. Listeners hear of it only when a field is another value than before. */
  patch(change: Partial<T>): void {
    const changed = (Object.keys(change) as (keyof T)[]).some(
      (key) => !Object.is(change[key], this.#state[key]),
    );
    if (!changed) return;
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }
}
