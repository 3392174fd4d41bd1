type Done<Result, Response> = (error?: Error | null, result?: Result, response?: Response) => void

/** What a call of the SDKs hands to its callback: the result and the response. Rejects with the error. */
export function inCallbackForm<Result, Response>(
  call: (done: Done<Result, Response>) => void,
): Promise<[result: Result | undefined, response: Response | undefined]> {
  return new Promise((resolve, reject) => {
    call((error, result, response) => (error ? reject(error) : resolve([result, response])))
  })
}
