/** Waits for what others wait for too. Who is told to stop does not wait for the end of it, which goes on for them. */
export async function orStopped<Result>(going: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (!signal) return going;
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await Promise.race([going, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
