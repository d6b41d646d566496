/** Slack for the suite: only how it connects. Messages are appended only: slack.test.ts has them, and the checks that apply. */
import type { DestinationFixture } from "./place.ts";

const fixture: DestinationFixture = {
  connection: { bot_token: "xoxb-1234567890-suite-Ab12Cd34Ef56" },
  refusedCredential: { bot_token: "xoxb-1234567890-other-Ab12Cd34Ef56" },
  seed: { tokens: ["xoxb-1234567890-suite-Ab12Cd34Ef56"] },
  objects: [],
};

export default fixture;
