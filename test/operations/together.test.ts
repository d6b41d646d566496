import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Together } from "../../src/operations/together.ts";

test("an ask is answered by nothing that was begun before it came, and a burst costs two answers", async () => {
  const together = new Together<number>();
  let begun = 0;
  const answer = async (): Promise<number> => {
    const mine = (begun += 1);
    await sleep(20);
    return mine;
  };
  const first = together.ask("companies", answer);
  await sleep(5);
  const others = Array.from({ length: 1000 }, () => together.ask("companies", answer));
  expect(await first).toBe(1);
  expect(new Set(await Promise.all(others))).toEqual(new Set([2]));
  expect(await together.ask("companies", answer)).toBe(3);
});

test("one that fails fails those who shared it, and no other", async () => {
  const together = new Together<string>();
  const failing = together.ask("companies", () => Promise.reject(new Error("no")));
  const sharing = together.ask("companies", () => Promise.resolve("never asked"));
  const other = together.ask("contacts", () => Promise.resolve("yes"));
  await expect(failing).rejects.toThrow("no");
  await expect(sharing).rejects.toThrow("no");
  expect(await other).toBe("yes");
  expect(await together.ask("companies", () => Promise.resolve("yes"))).toBe("yes");
});
