/** What the driver's requests are answered from. */
import type { Faults } from "./faults.ts";
import type { Queries } from "./queries.ts";
import type { Sessions } from "./sessions.ts";
import type { Stages } from "./stages.ts";
import type { SandboxUser } from "./users.ts";

export interface Served {
  readonly sessions: Sessions;
  readonly queries: Queries;
  readonly faults: Faults;
  readonly stages: Stages;
  readonly users: readonly SandboxUser[] | undefined;
  readonly tokenSeconds: number;
  /** So long a statement may keep its client waiting before it is told to ask again. */
  readonly answerSeconds: number;
  readonly storageToken: string;
  readonly chunkKey: string;
  /** Where the server listens. */
  readonly url: () => string;
}
