// What the thread pools run.
// oxlint-disable-next-line import/no-default-export -- the pools take nothing else
export default (x) => x
