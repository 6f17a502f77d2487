"""What a report is made of: its items, its page, and the truth that they are compared with."""
