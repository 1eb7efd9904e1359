/**
 * `${VAR}` and `${VAR:-default}` in one value. As in a shell, `:-` also stands in for a variable that is set but empty.
 * The problem names the variable and never what it holds.
 */
export function interpolate(text: string, env: NodeJS.ProcessEnv): string | { problem: string } {
  if (!text.includes('${')) return text
  let problem: string | undefined
  const filled = text.replace(/\$\{([^}]*)(\}?)/g, (_whole, inner: string, close: string) => {
    const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/.exec(inner) ?? []
    if (name === undefined || close === '') {
      problem ??= 'expected ${NAME} or ${NAME:-default}'
      return ''
    }
    // Only what was set: `process.env` inherits names such as `constructor`.
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
    if (value === undefined)
      problem ??= `the variable ${name} is not set, and no default is given: \${${name}:-default}`
    return value ?? ''
  })
  return problem === undefined ? filled : { problem }
}
