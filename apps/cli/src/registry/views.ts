import type { Device, JsonObject, Twin } from '@muster/client'
import type { View } from '../output/format.ts'

export const deviceView: View<Device> = {
  nameOf: ({ deviceId }) => deviceId,
  columns: [
    { head: 'DEVICE', of: ({ deviceId }) => deviceId },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'CONNECTION', of: ({ connectionState }) => connectionState },
    { head: 'AUTHENTICATION', of: ({ authentication }) => authentication.type },
    { head: 'LAST ACTIVITY', of: ({ lastActivityTime }) => lastActivityTime },
    { head: 'REASON', of: ({ statusReason }) => statusReason, isWide: true },
    { head: 'EDGE', of: ({ capabilities }) => capabilities.iotEdge, isWide: true },
    { head: 'ETAG', of: ({ etag }) => etag, isWide: true },
  ],
}

/** A device or module, as a list shows it. */
export const twinView: View<Twin> = {
  nameOf: ({ deviceId, moduleId }) => (moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`),
  columns: [
    { head: 'DEVICE', of: ({ deviceId }) => deviceId },
    { head: 'MODULE', of: ({ moduleId }) => moduleId, isWide: true },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'CONNECTION', of: ({ connectionState }) => connectionState },
    { head: 'LAST ACTIVITY', of: ({ lastActivityTime }) => lastActivityTime },
    { head: 'TAGS', of: ({ tags }) => documentText(tags), isWide: true },
    { head: 'DESIRED', of: ({ properties }) => documentText(properties.desired), isWide: true },
    { head: 'REPORTED', of: ({ properties }) => documentText(properties.reported), isWide: true },
    { head: 'VERSION', of: ({ version }) => version, isWide: true },
    { head: 'ETAG', of: ({ etag }) => etag, isWide: true },
  ],
}

/** Without what the hub adds, such as `$version`. */
function documentText(members: JsonObject | undefined): string {
  return JSON.stringify(Object.fromEntries(Object.entries(members ?? {}).filter(([name]) => !name.startsWith('$'))))
}
