// Cleans up when this process is told to die: runs the action, then lets the signal do what it does.

const deadlySignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The returned function takes the handlers away again. */
export function onDeadlySignal(action: (signal: NodeJS.Signals) => void): () => void {
  const die = (signal: NodeJS.Signals): void => {
    release();
    action(signal);
    process.kill(process.pid, signal);
  };
  const release = (): void => {
    for (const signal of deadlySignals) process.removeListener(signal, die);
  };
  for (const signal of deadlySignals) process.on(signal, die);
  return release;
}
