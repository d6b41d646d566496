import { expect, test } from "vitest";
import { z } from "zod";
import { secretTexts } from "../../src/documents/secrets.ts";

test("every text of a secret setting is known as one, also those of a map, and no other", () => {
  const schema = z.strictObject({
    token: z.string().meta({ secret: true }),
    headers: z.record(z.string(), z.string()).optional().meta({ secret: true }),
    account: z.string(),
    unset: z.string().optional().meta({ secret: true }),
  });
  const config = { token: "t0ken", headers: { "x-key": "k3y", "x-other": "" }, account: "acme" };
  expect(secretTexts(schema, config)).toEqual(["t0ken", "k3y"]);
});
