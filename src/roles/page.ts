/**
 * The pages for a browser, as they are in src/page: one file each, with style and script inside. Their Content-Security-Policy names the
 * SHA-256 of just these, so that nothing else runs or styles, whatever a file is called, and it forbids scripts to make HTML of text.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Page {
  html: string
  /** The value of `content-security-policy`. */
  policy: string
}

export function readPage(name: 'index' | 'sign-in'): Page {
  const html = readFileSync(new URL(`../page/${name}.html`, import.meta.url), 'utf8')
  const policy = [
    "default-src 'none'",
    `script-src ${sources(html, /<script>([\s\S]*?)<\/script>/g)}`,
    `style-src ${sources(html, /<style>([\s\S]*?)<\/style>/g)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  return { html, policy }
}

function sources(html: string, element: RegExp): string {
  const digests = [...html.matchAll(element)].map(([, text = '']) => createHash('sha256').update(text).digest('base64'))
  return digests.map((digest) => `'sha256-${digest}'`).join(' ')
}
