/** Until when each instance has proved itself, on whichever stream: Envoy's own connection outlives the certificate it was made with. */
export class Proven {
  readonly #until = new Map<string, number>();
  #lookAt = 1_000;

  /** An instance showed a certificate that ends then; both times in milliseconds. Instances come and go: those whose time is over are forgotten now and then. */
  note(instance: string, notAfter: number, now: number): void {
    this.#until.set(instance, Math.max(this.until(instance), notAfter));
    if (this.#until.size < this.#lookAt) return;
    for (const [known, until] of this.#until) if (until <= now) this.#until.delete(known);
    this.#lookAt = 1_000 + 2 * this.#until.size;
  }
  /** 0: it has not. */
  until(instance: string): number {
    return this.#until.get(instance) ?? 0;
  }
  get size(): number {
    return this.#until.size;
  }
}
