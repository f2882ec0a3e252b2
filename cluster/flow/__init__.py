"""S100 to S1000, composed from the rooms, as steps over one platform's storage."""
