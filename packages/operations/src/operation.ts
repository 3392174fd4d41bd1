import type { CallResult } from '@muster/bus'
import type { DeviceError, Extensions, JobType, JsonObject, JsonText, NumberText, Vocabulary } from '@muster/contract'
import type { BegunChunk, Db, Execution, LockedChunk, RunningJob } from '@muster/store'

/** The code behind one job type: it reads the body and does the work on each device. */
export type Operation = StoreOperation | DeviceOperation

interface OperationCore {
  readonly type: JobType
  /** Which member of a job request holds the operation's body. */
  readonly member: 'updateTwin' | 'cloudToDeviceMethod'
  /** How many devices make a chunk. */
  readonly chunkSize: number
  /**
   * Checks and normalises the body. `numberText` tells how its numbers were written. The result is
   * stored and given to the execution.
   * @throws HubError that names the member, the value and what was expected.
   */
  parseBody(value: unknown, vocabulary: Vocabulary, numberText?: NumberText): JsonObject
  /**
   * Checks the extensions of a job of this type and with this body, as far as their own schemas cannot.
   * @throws HubError ArgumentInvalid that names the member and says why
   */
  checkExtensions(extensions: Extensions, body: JsonObject): void
  /** A stored body as reads of the job show it. */
  bodyText(body: JsonObject): JsonText
}

/** Works inside Postgres: the effect, the outcomes and the counters are one transaction, so the effect is exactly once. */
export interface StoreOperation extends OperationCore {
  readonly kind: 'store'
  /** Locks the next ready chunk of a job and does what it can of its work, in one statement. Null: no chunk is ready. */
  begin(tx: Db, job: RunningJob, now: Date): Promise<BegunChunk | null>
  /** The work on the devices of a locked chunk. */
  execute(tx: Db, chunk: LockedChunk, now: Date): Promise<Execution>
}

/** Calls each device through the gateway that owns its session: at most once, unless the body asks for more. */
export interface DeviceOperation extends OperationCore {
  readonly kind: 'device'
  /** What all devices get alike: the payload comes from `readPayloads`. */
  call(body: JsonObject): { methodName: string; responseTimeoutSeconds: number }
  /** The outcome of the device job for a result of a call. */
  decide(result: CallResult, body: JsonObject): Outcome
}

/** The outcome of one attempt on one device. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly response: JsonText }
  | { readonly kind: 'failed'; readonly error: DeviceError }
  /** The attempt is repeated with backoff, or after a time that `retry` of the job gives. `isNotNow`: the device asked for that time. */
  | { readonly kind: 'retry'; readonly afterMs?: number; readonly isNotNow?: boolean }
  /** The job is not for the device, or not any more. */
  | { readonly kind: 'skipped' }
  /** The attempt waits until the device connects. */
  | { readonly kind: 'waiting' }
