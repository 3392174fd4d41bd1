import type { Api } from '../api.ts'

export interface RecordedOutcome {
  readonly deviceId: string
  /** As it is stored. Absent: the device failed. */
  readonly response?: string
  readonly error?: { readonly code: string; readonly description: string }
}

/** Writes outcomes of devices of the one started job of the database, and moves the counters, as its workers would. */
export async function recordOutcomes({ db }: Pick<Api, 'db'>, outcomes: readonly RecordedOutcome[]): Promise<void> {
  const quoted = `$json$${JSON.stringify(outcomes)}$json$`
  await db.execute(`
    with outcome as (
      select device_id, response, error ->> 'code' as code, error ->> 'description' as description
        from json_to_recordset(${quoted}) as o ("deviceId" text, response text, error json)
       cross join lateral (select "deviceId" as device_id) as named),
    recorded as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, deliveries, delivered_at, updated_at,
                               response, error_code, error_text)
      select c.week, c.job_key, c.chunk_no, device_id, case when code is null then 'completed' else 'failed' end, 1, 1,
             now(), now(), response::json, code, description
        from outcome join chunks c on outcome.device_id = any(c.device_ids)
      returning chunk_no, status)
    update chunks c
       set succeeded = c.succeeded + done.completed, failed = c.failed + done.failed
      from (select chunk_no, count(*) filter (where status = 'completed') as completed,
                   count(*) filter (where status = 'failed') as failed
              from recorded group by 1) as done
     where c.chunk_no = done.chunk_no`)
}
