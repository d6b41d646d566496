/** Sums of what was sent by several workers. */
import type { SentCounts } from "./ports.ts";

export const nothingSent: SentCounts = {
  accepted: 0,
  rejected: 0,
  invalid: 0,
  inDoubt: 0,
  alreadyThere: 0,
  requests: 0,
};

export function plus(one: SentCounts, other: SentCounts): SentCounts {
  return {
    accepted: one.accepted + other.accepted,
    rejected: one.rejected + other.rejected,
    invalid: one.invalid + other.invalid,
    inDoubt: one.inDoubt + other.inDoubt,
    alreadyThere: one.alreadyThere + other.alreadyThere,
    requests: one.requests + other.requests,
  };
}
