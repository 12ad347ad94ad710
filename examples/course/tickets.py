"""Ten support tickets, made up for these exercises: short and long, one of them in capitals, one in two minds."""

TICKETS = [
    "Hi, my card was charged twice for the September invoice, once on the 2nd and again on the 3rd. "
    "Please refund one of the two payments before the end of the week.",
    "The app crashes whenever I open a report with more than fifty pages. It started after the last update. "
    "I have installed it again, on two phones, and nothing changed.",
    "I can't log in. The reset email never arrives, and after three wrong passwords my account is locked. "
    "I need access before the audit on Thursday.",
    "Do you offer a discount for schools? We are a team of twelve teachers and would like to start in January.",
    "My parcel was due on Monday. The courier's page says delivered, but nothing was left here and nobody has it.",
    "PLEASE CANCEL MY SUBSCRIPTION AND CONFIRM THE DATE IN WRITING. I HAVE ASKED TWICE NOW.",
    "Every upload over 2 GB stops at 99 percent and starts again from zero. Smaller files work. "
    "The office line is fast, and the error is the same at home.",
    "A colleague has left. How do I move her projects to my user and take away her permission to sign in?",
    "The receipt shows 20 percent tax, but our company is registered abroad and should not pay any. "
    "Could you correct the invoice and refund the difference?",
    "Where can I read which data you keep about us, and for how long? Our lawyer asks, there is no hurry.",
]
