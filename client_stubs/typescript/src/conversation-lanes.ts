// Runs tasks at the same time up to a bound, one after the other within a lane, and otherwise the oldest first: with a bound
// of one, in the order in which they came. EventConsumer has a lane for each conversation.

interface Task {
  number: number; // in the order of add()
  run: () => Promise<void>;
  dropped: () => void;
}

interface Lane {
  name: string;
  waiting: Task[];
}

/** Never fails: its owner is told of each task that does, and the rest goes on until stop(). */
export class ConversationLanes {
  readonly #lanes = new Map<string, Lane>(); // those with a task that runs or waits
  readonly #ready: Lane[] = []; // those that wait for their turn, the one with the oldest task first
  #added = 0;
  #running = 0;
  #tasks = 0;
  #stopped = false;
  #changed: (() => void)[] = [];

  constructor(
    private readonly concurrency: number,
    private readonly capacity: number,
  ) {}

  /** Takes a task, which must not fail; after stop it is `dropped` in place of `run`. */
  add(name: string, run: () => Promise<void>, dropped: () => void = () => undefined): void {
    if (this.#stopped) {
      dropped();
      return;
    }
    this.#tasks++;
    const task: Task = { number: this.#added++, run, dropped };
    const known = this.#lanes.get(name);
    if (known !== undefined) {
      known.waiting.push(task);
      return;
    }
    const lane: Lane = { name, waiting: [task] };
    this.#lanes.set(name, lane);
    this.#ready.push(lane);
    this.#startReady();
  }

  /** Waits until there is room for another task. */
  async room(): Promise<void> {
    while (this.#tasks >= this.capacity && !this.#stopped) await this.#change();
  }

  /** Waits until every task has ended; after stop, until every task has that had begun. */
  async idle(): Promise<void> {
    while (this.#tasks > 0) await this.#change();
  }

  /** Drops the tasks that have not begun. */
  stop(): void {
    this.#stopped = true;
    this.#ready.length = 0;
    const left = [...this.#lanes.values()].flatMap(({ waiting }) => waiting.splice(0));
    this.#tasks = this.#running;
    this.#tell();
    for (const { dropped } of left) dropped();
  }

  #startReady(): void {
    while (this.#running < this.concurrency) {
      const lane = this.#ready.shift();
      const task = lane?.waiting.shift();
      if (lane === undefined || task === undefined) return;
      this.#running++;
      void task.run().finally(() => {
        this.#ended(lane);
      });
    }
  }

  #ended(lane: Lane): void {
    this.#running--;
    this.#tasks--;
    const [oldest] = lane.waiting;
    if (oldest === undefined) {
      this.#lanes.delete(lane.name);
    } else {
      const later = this.#ready.findIndex(({ waiting }) => waiting[0]!.number > oldest.number);
      this.#ready.splice(later < 0 ? this.#ready.length : later, 0, lane);
    }
    this.#startReady();
    this.#tell();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
