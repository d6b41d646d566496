/** One record cannot be made into a request. It is rejected, and nothing of it is sent. */
export class Unsendable extends Error {
  override readonly name = "Unsendable";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
