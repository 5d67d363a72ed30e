/**
 * What one Envoy can be believed to have: pure bookkeeping over what was sent to it and what it answered. After a NACK Envoy claims the old and may serve
 * the new (a NACK is partial application), and what was on its way when a connection broke may have been applied or not: for such names nobody vouches.
 * For all others Envoy's own claim, the version it acknowledged last, is the truth.
 */
export interface SentNames {
  readonly type: string;
  readonly nonce: string;
  /** Of what is given and of what is taken away. */
  readonly names: readonly string[];
  /** Name -> version of what is given. */
  readonly versions?: ReadonlyMap<string, string>;
}

export class Ledger {
  /** By type: names that were sent and not acknowledged since, with when. */
  readonly #doubtful = new Map<string, Map<string, number>>();
  /** Of the stream that is open now. */
  readonly #open = new Map<string, { readonly at: number; readonly sent: SentNames }>();
  /** By type: name -> the version acknowledged last; nothing for what is doubtful. */
  readonly #accepted = new Map<string, Map<string, string>>();
  #time = 0;

  /** `follows` (type -> type): what of another type must be sent again after this one, under the same names. */
  constructor(readonly follows: ReadonlyMap<string, string>) {}

  /** A response goes to Envoy. */
  sent(sent: SentNames): void {
    const at = (this.#time += 1);
    this.#open.set(sent.nonce, { at, sent });
    this.#doubt(sent.type, sent.names, at);
    const follower = this.follows.get(sent.type);
    if (follower !== undefined) this.#doubt(follower, sent.names, at);
  }
  /** Envoy's answer to it. */
  answered(nonce: string, accepted: boolean): void {
    const found = this.#open.get(nonce);
    this.#open.delete(nonce);
    if (!found || !accepted) return;
    const doubtful = this.#doubtful.get(found.sent.type);
    let held = this.#accepted.get(found.sent.type);
    if (!held) this.#accepted.set(found.sent.type, (held = new Map()));
    for (const name of found.sent.names) {
      if ((doubtful?.get(name) ?? 0) > found.at) continue;
      doubtful?.delete(name);
      const version = found.sent.versions?.get(name);
      if (version !== undefined) held.set(name, version);
    }
  }
  /** Name -> version of what Envoy has acknowledged of a type and nothing was sent about since. A copy. */
  accepted(type: string): ReadonlyMap<string, string> {
    return new Map(this.#accepted.get(type));
  }
  /** A stream began: answers to the one before will not come any more. */
  begin(): void {
    this.#open.clear();
  }
  /** What Envoy claims to have of a type, with no version for what nobody vouches for. */
  vouch(type: string, claims: { readonly [name: string]: string }): { [name: string]: string } {
    const doubtful = this.#doubtful.get(type) ?? new Map<string, number>();
    return { ...claims, ...Object.fromEntries([...doubtful.keys()].map((name) => [name, ''])) };
  }

  #doubt(type: string, names: readonly string[], at: number): void {
    let doubtful = this.#doubtful.get(type);
    if (!doubtful) this.#doubtful.set(type, (doubtful = new Map()));
    for (const name of names) {
      doubtful.set(name, at);
      this.#accepted.get(type)?.delete(name);
    }
  }
}
