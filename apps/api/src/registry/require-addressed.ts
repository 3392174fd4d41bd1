import { clip, HubError } from '@muster/contract'

/** If a body repeats an id of the path, both must be equal. @throws HubError ArgumentInvalid */
export function requireAddressed(member: string, inBody: string | null | undefined, inPath: string): void {
  if (inBody == null || inBody === inPath) return
  throw new HubError('ArgumentInvalid', {
    message: `${member} in the body is "${clip(inBody)}"; expected "${inPath}", as in the path, or no ${member}`,
  })
}
