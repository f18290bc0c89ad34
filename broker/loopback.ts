/** Whether a host name, as a URL writes it, means this machine itself and nothing else. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(hostname)
}
