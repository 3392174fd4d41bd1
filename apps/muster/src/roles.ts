import { role as api } from '@muster/api'
import { role as dispatcher } from '@muster/dispatcher'
import { role as gateway } from '@muster/gateway'
import type { Role } from '@muster/runtime'
import { role as worker } from '@muster/worker'

/** Every role, in the order of their start: the gateway runs before anyone calls a device. */
export const roles: readonly Role[] = [gateway, worker, dispatcher, api]
