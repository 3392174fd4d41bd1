import { z } from 'zod'
import { cronRule, isCron } from '../schedules/cron.ts'
import { isTimeZone } from '../schedules/local-time.ts'
import { zonePathOf } from '../schedules/windows.ts'

const isZoneOrTag = (text: string) => isTimeZone(text) || /^tags(\.[^\s.$]+){1,10}$/.test(text)

const windowSchema = z.object({
  cron: z.string().max(200).refine(isCron, cronRule),
  durationMinutes: z.int().min(1).max(1430),
  timeZone: z
    .string()
    .max(256)
    .refine(
      isZoneOrTag,
      'the name of a time zone, such as Europe/Berlin, or the path of a tag that names one, such as tags.timeZone',
    )
    .exactOptional(),
  strictEnd: z.boolean().exactOptional(),
})

/** When a job may start attempts. */
export const windowsSchema = z
  .array(windowSchema)
  .refine(({ length }) => length >= 1 && length <= 14, 'a list of 1 to 14 windows')
  .refine((windows) => tagsOf(windows).size <= 1, 'a list in which the zones of devices come from one tag')

function tagsOf(windows: readonly z.output<typeof windowSchema>[]): ReadonlySet<string> {
  return new Set(windows.flatMap((window) => zonePathOf(window)?.join('.') ?? []))
}
