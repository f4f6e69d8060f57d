/*---
kind: function
doc: What a delay in minutes is called. Up to 15 minutes late is on time, as the US Department of Transportation counts.
---*/
CREATE FUNCTION delay_class AS (minutes) ->
  multiIf(minutes < 0, 'early', minutes <= 15, 'on time', minutes <= 60, 'late', 'very late')
