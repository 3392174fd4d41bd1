import { expect, it } from 'vitest'
import { CommandError, complaintOf } from './failure.ts'

it('a complaint is one line, and what it quotes cannot write to the terminal', () => {
  const error = new CommandError('no device meets \u001b[2J\n  tags.floor = 3')

  expect(complaintOf(error)?.text).toBe('no device meets  [2J tags.floor = 3')
})
