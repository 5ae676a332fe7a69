/** What a person chose last time, kept in this browser only. */
export interface Preferences {
  name: string;
  cameraOn: boolean;
  microphoneOn: boolean;
  cameraId: string;
  microphoneId: string;
  speakerId: string;
  facing: "user" | "environment";
  shortcuts: boolean;
  layout: "grid" | "speaker";
}

export const DEFAULT_PREFERENCES: Preferences = {
  name: "",
  cameraOn: true,
  microphoneOn: true,
  cameraId: "",
  microphoneId: "",
  speakerId: "",
  facing: "user",
  shortcuts: true,
  layout: "speaker",
};

const KEY = "parley.call.v1";
const MAX_TEXT = 256;

export type Storage = Pick<globalThis.Storage, "getItem" | "setItem">;

/** Storage may be full, forbidden or hold something else: a call never depends on it. */
export class PreferenceBox {
  #value: Preferences;
  readonly #storage: Storage | null;

  constructor(storage: Storage | null) {
    this.#storage = storage;
    this.#value = parse(read(storage));
  }

  get value(): Preferences {
    return this.#value;
  }

  update(change: Partial<Preferences>): void {
    this.#value = { ...this.#value, ...change };
    try {
      this.#storage?.setItem(KEY, JSON.stringify(this.#value));
    } catch {
      // Private windows refuse to store; the choice then lasts as long as the page.
    }
  }
}

export function browserPreferences(): PreferenceBox {
  try {
    return new PreferenceBox(window.localStorage);
  } catch {
    return new PreferenceBox(null);
  }
}

function read(storage: Storage | null): unknown {
  try {
    return JSON.parse(storage?.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

function parse(raw: unknown): Preferences {
  const value = (typeof raw === "object" && raw !== null ? raw : {}) as Record<string, unknown>;
  const text = (key: "name" | "cameraId" | "microphoneId" | "speakerId") => {
    const found = value[key];
    return typeof found === "string" ? found.slice(0, MAX_TEXT) : DEFAULT_PREFERENCES[key];
  };
  const flag = (key: "cameraOn" | "microphoneOn" | "shortcuts") => {
    const found = value[key];
    return typeof found === "boolean" ? found : DEFAULT_PREFERENCES[key];
  };
  return {
    name: text("name"),
    cameraOn: flag("cameraOn"),
    microphoneOn: flag("microphoneOn"),
    cameraId: text("cameraId"),
    microphoneId: text("microphoneId"),
    speakerId: text("speakerId"),
    facing: value.facing === "environment" ? "environment" : "user",
    shortcuts: flag("shortcuts"),
    layout: value.layout === "grid" ? "grid" : "speaker",
  };
}
