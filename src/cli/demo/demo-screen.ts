// What the demo shows: numbered steps, plain lines, and a progress bar where a terminal can rewrite a line. Without a
// terminal it prints the same as plain lines, a few for each bar.

const barCells = 30;
/** Without a terminal a bar is a line at each of these shares. */
const plainSteps = 4;

export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class DemoScreen {
  private readonly output: Output;
  private readonly color: boolean;
  private step = 0;
  private barOpen = false;

  constructor(output: Output) {
    this.output = output;
    this.color = output.isTTY === true && process.env['NO_COLOR'] === undefined;
  }

  heading(text: string): void {
    this.step++;
    this.endBar();
    this.output.write(`\n${this.paint('1', `${this.step}. ${text}`)}\n`);
  }

  line(text: string): void {
    this.endBar();
    this.output.write(`   ${text}\n`);
  }

  /** A check that held, or did not. */
  verdict(passed: boolean, text: string): void {
    this.endBar();
    this.output.write(`   ${passed ? this.paint('32', 'ok  ') : this.paint('31', 'FAIL')} ${text}\n`);
  }

  /** Something remarkable inside a step, such as the death of a leader. */
  strong(text: string): void {
    this.endBar();
    this.output.write(`   ${this.paint('33', text)}\n`);
  }

  /** A bar that the next call redraws. */
  bar(total: number, unit: string): (done: number, note: string) => void {
    let drawnAt = -1;
    return (done, note) => {
      const share = total === 0 ? 1 : done / total;
      const stage = Math.floor(share * (this.output.isTTY === true ? barCells * 4 : plainSteps));
      if (stage === drawnAt && this.barOpen === (this.output.isTTY === true)) return;
      if (this.output.isTTY === true) {
        drawnAt = stage;
        const cells = Math.round(share * barCells);
        const drawn = `${'█'.repeat(cells)}${'░'.repeat(barCells - cells)}`;
        this.output.write(`\r\u001b[K   ${drawn} ${done.toLocaleString('en-US')} ${unit}  ${note}`);
        this.barOpen = true;
      } else if (stage > drawnAt) {
        drawnAt = stage;
        if (stage > 0)
          this.line(`${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')} ${unit}, ${note}`);
      }
    };
  }

  private endBar(): void {
    if (this.barOpen) this.output.write('\n');
    this.barOpen = false;
  }

  private paint(code: string, text: string): string {
    return this.color ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
