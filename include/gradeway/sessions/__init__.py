"""Exam sessions: from what the files say to schedules of the delivery system, by plan and apply."""
