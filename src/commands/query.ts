import type { Command } from 'commander'
import type { App } from './app.ts'
export function queryCommand(_program: Command, _app: App): void {}
