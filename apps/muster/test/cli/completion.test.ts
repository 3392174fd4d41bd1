import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownProgram } from '../role-process.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-completion-'))
  writeFileSync(join(folder, 'muster'), `#!/bin/sh\nexec '${process.execPath}' '${ownProgram}' "$@"\n`, { mode: 0o755 })
})
afterAll(() => rmSync(folder, { recursive: true }))

function run(shell: string, args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(shell, args, { env: environment(), encoding: 'utf8' })
  if (status !== 0) throw new Error(`${shell} ended with ${status}: ${stderr}`)
  return stdout
}

function environment(): NodeJS.ProcessEnv {
  const { PATH = '' } = process.env
  return { PATH: `${folder}${delimiter}${PATH}`, HOME: folder, TERM: 'dumb' }
}

/** Not every machine has every shell; the report says which were left out. */
const isMissing = (shell: string) => spawnSync(shell, ['-c', 'true']).error !== undefined

/** What the package bash-completion brings, as far as the script needs it. */
const bashCompletion = `_get_comp_words_by_ref() { words=("\${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur="\${words[cword]}"; prev="\${words[cword-1]}"; }
compopt() { :; }`

describe('muster completion', () => {
  it.skipIf(isMissing('bash'))('in bash completes commands and the words of an option', () => {
    const complete = (...words: readonly string[]) =>
      run('bash', [
        '--norc',
        '-c',
        `${bashCompletion}
source <(muster completion bash)
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
__muster_complete
printf '%s\\n' "\${COMPREPLY[@]%% *}"`,
      ])

    expect(complete('muster', 'job', 'hi').trim()).toBe('history')
    expect(complete('muster', 'job', 'list', '--output', 'nd').trim()).toBe('ndjson')
    expect(complete('muster', 'serve', 'w').trim()).toBe('worker')
  })

  it.skipIf(isMissing('fish'))('in fish completes commands and the words of an option', () => {
    const complete = (line: string) =>
      run('fish', ['-N', '-c', `muster completion fish | source; complete -C "${line}"`])

    expect(complete('muster job h')).toMatch(/^history\t/m)
    expect(complete('muster job list --output nd')).toMatch(/^ndjson/m)
  })

  it.skipIf(isMissing('zsh'))('in zsh is loaded without a complaint', () => {
    const script = 'autoload -U compinit; compinit -u -D; source <(muster completion zsh); print -r -- $_comps[muster]'

    expect(run('zsh', ['-f', '-c', script]).trim()).toBe('_muster')
  })

  it('names the shells that it knows', () => {
    const { status, stderr } = spawnSync(join(folder, 'muster'), ['completion', 'tcsh'], { encoding: 'utf8' })

    expect(status).toBe(2)
    expect(stderr).toContain('Allowed choices are zsh, bash, fish, powershell.')
  })
})
