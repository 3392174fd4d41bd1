/** The query for the devices that meet a condition. As in a job, `*` is all of them. */
export function devicesQuery(members: string, condition: string): string {
  const where = condition.trim() === '*' ? '' : ` WHERE ${condition}`
  return `SELECT ${members} FROM devices${where}`
}
