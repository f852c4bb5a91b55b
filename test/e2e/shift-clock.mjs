// Preloaded into processes that have to live at another time: CLOCK_SHIFT is in milliseconds, and added to every reading of the clock.
const shift = Number(process.env.CLOCK_SHIFT ?? 0);
const Real = Date;

class ShiftedDate extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + shift);
    else super(...args);
  }

  static now() {
    return Real.now() + shift;
  }
}

globalThis.Date = ShiftedDate;
