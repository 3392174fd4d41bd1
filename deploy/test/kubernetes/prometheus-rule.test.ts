import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { manifests } from './documents.ts'

const rules = fileURLToPath(new URL('../../prometheus/rules', import.meta.url))
const file = join(manifests, 'components', 'monitoring', 'prometheus-rule.yaml')
const groups = z.object({ groups: z.array(z.unknown()) })

it('the PrometheusRule has the rules of deploy/prometheus/rules: "npm run test:deploy -- prometheus-rule -u" renews it', async () => {
  const files = existsSync(rules) ? readdirSync(rules).filter((name) => name.endsWith('.yml')) : []
  const all = files.toSorted().flatMap((name) => groups.parse(parse(readFileSync(join(rules, name), 'utf8'))).groups)

  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'muster' },
    spec: { groups: all },
  }
  const origin = '# Made from deploy/prometheus/rules, because kustomize reads no file outside of its folder.\n'
  const text = origin + stringify(rule, { aliasDuplicateObjects: false, lineWidth: 0 })
  await expect(text).toMatchFileSnapshot(file)
})
